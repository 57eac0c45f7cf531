//! What an object is: by what leads there, by what it says of itself, by what it leads to.

use super::classes::{Class, SMALL, What};
use super::nodes::{Object, WORD};
use super::scene::{Content, Scene, rounded};
use super::shapes::{Found, Shapes};
use super::special::Special;
use crate::audit::unit::Address;
use crate::runtimes::go::heap::Typing;
use crate::target::go::types::{Kind, Type};

/// How many links ahead is looked for what an object must be to lead there.
const AHEAD: usize = 4;
/// Where a header has the pointer to its buckets or groups.
const MAP_TABLE: u64 = 16;
/// Most links of a list that are passed over to find what its elements are.
const LIST: usize = 1 << 12;

/// An object on the way to a map, and how it was reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// It itself.
    pub(super) object: Object,
    /// Where the pointer to it is, in bytes from the beginning of the object before.
    pub(super) offset: u64,
    /// Where that pointer is; `None`: on a stack.
    pub(super) pointer: Option<u64>,
    /// Which map it is the header of, if it is.
    pub(super) map: Option<usize>,
}

/// What is known of the pointer that leads to an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lead {
    /// Its type.
    pub(super) of: Option<Type>,
    /// The type of the value, if it is an interface's; the code, if it is a function's; the type of a map, if
    /// its buckets show it.
    pub(super) dynamic: Option<Address>,
}

/// Tells what objects are.
#[derive(Debug)]
pub(super) struct Identify<'a> {
    scene: Scene<'a>,
    /// Whether maps are Swiss ones.
    is_swiss: bool,
    special: &'a Special,
    structs: &'a [Type],
    shapes: Option<Shapes>,
}

impl<'a> Identify<'a> {
    /// For a program with these structs.
    pub(super) fn new(scene: Scene<'a>, is_swiss: bool, special: &'a Special, structs: &'a [Type]) -> Self {
        Self { scene, is_swiss, special, structs, shapes: None }
    }

    /// What the object of the first link is; `before`: the class of the one that points to it.
    pub(super) fn what(&mut self, before: Option<&Class>, lead: Lead, links: &[Link]) -> What {
        let Some(link) = links.first() else { return What::Unknown(0) };
        if let Some(wanted) = link.map.and_then(|map| self.scene.wanted(map)) {
            return What::Map(self.map_type(before, link, lead), wanted.has_tables);
        }
        if let Some(what) = before.and_then(|class| self.part_of_map(class, links)) {
            return what;
        }
        let begin = Scene::begin(&link.object);
        let content = self.scene.content(&link.object);
        content
            .map(|content| self.values(content, begin))
            .or_else(|| self.pointed(lead, link))
            .or_else(|| self.scene.function_of(&link.object).map(What::Function))
            .or_else(|| self.channel(&link.object).map(|element| What::Channel(Some(element))))
            .unwrap_or_else(|| self.shown(links, begin))
    }

    /// What an object is that neither says it nor is pointed to by what is known.
    fn shown(&mut self, links: &[Link], begin: u64) -> What {
        let Some(link) = links.first() else { return What::Unknown(0) };
        let elements = match self.shape(links, 0) {
            Ok(content) => return self.values(content, begin),
            Err(0) => self.scene.elements(&link.object),
            Err(_) => None,
        };
        elements.map_or(What::Unknown(link.object.size), What::Elements)
    }

    fn values(&self, content: Content, begin: u64) -> What {
        match self.scene.types.map_of_bucket(content.at) {
            Some(map) => What::Groups(Some(map), begin),
            None => What::Values(content, begin),
        }
    }

    /// The type of a map: as the census found it, as an interface says, or as the pointer to it is declared.
    fn map_type(&mut self, before: Option<&Class>, link: &Link, lead: Lead) -> Option<Address> {
        let wanted = link.map.and_then(|map| self.scene.wanted(map))?;
        if let [one] = wanted.types {
            return Some(*one);
        }
        let declared = lead.of.filter(|pointer| pointer.kind == Kind::Map).map(|pointer| pointer.at);
        let boxed = link.map.and_then(|map| self.scene.boxed(map));
        let found = boxed.or(declared).or_else(|| self.beside(link));
        let found = found.filter(|at| wanted.types.is_empty() || wanted.types.contains(at));
        found.or(lead.dynamic).or_else(|| {
            let is_of_all = self.is_array(before, link);
            is_of_all.then(|| self.by_bucket(link)).flatten()
        })
    }

    /// Whether an object is an element of an array that is too large to be a struct of words which look alike:
    /// what one element is, all are.
    pub(super) fn is_array(&self, before: Option<&Class>, link: &Link) -> bool {
        let has_elements = before.is_some_and(|class| matches!(class.what, What::Elements(_)));
        let holder = link.pointer.and_then(|pointer| self.scene.nodes.at(pointer));
        let holder = holder.and_then(|holder| self.scene.nodes.object(holder));
        has_elements && holder.is_some_and(|holder| holder.size > SMALL)
    }

    /// The only type that the map can be of by where its first bucket or lone group has pointers.
    pub(super) fn by_bucket(&mut self, link: &Link) -> Option<Address> {
        let wanted = link.map.and_then(|map| self.scene.wanted(map))?;
        if wanted.has_tables || wanted.types.len() < 2 {
            return None;
        }
        let scene = self.scene;
        let at = scene.word(link.object.base.checked_add(MAP_TABLE)?)?;
        let object = scene.nodes.object(scene.nodes.at(at)?).filter(|object| object.base == at)?;
        self.shapes().map_with(&scene, &object, wanted.types)
    }

    /// The map type that the word before the pointer to a map is, as in an interface.
    fn beside(&self, link: &Link) -> Option<Address> {
        let word = self.scene.word(link.pointer?.checked_sub(WORD)?)?;
        self.scene.types.map(Address(word)).map(|map| map.at)
    }

    /// What belongs to a map and is not its header.
    fn part_of_map(&mut self, class: &Class, links: &[Link]) -> Option<What> {
        let link = links.first()?;
        match class.what {
            What::Map(..) if class.slot(link.offset) != 0 => None,
            What::Map(at, true) if self.is_swiss => Some(What::Directory(at)),
            What::Map(at, _) | What::Table(at) => Some(self.groups(at, links)),
            What::Directory(at) => Some(What::Table(at)),
            _ => None,
        }
    }

    /// Groups or buckets of a map of that type: they may say themselves of what type they are, or show it.
    fn groups(&mut self, of_map: Option<Address>, links: &[Link]) -> What {
        let types = self.scene.types;
        let begin = links.first().map_or(0, |link| Scene::begin(&link.object));
        let said = links.first().and_then(|link| self.scene.content(&link.object));
        let said = said.and_then(|content| types.map_of_bucket(content.at));
        let known = said.or_else(|| types.map(of_map?));
        let shown = known.or_else(|| types.map_of_bucket(self.shape(links, 0).ok()?.at));
        What::Groups(shown, begin)
    }

    /// What a pointer of a known type leads to.
    fn pointed(&self, lead: Lead, link: &Link) -> Option<What> {
        let kind = match (lead.of.map(|of| of.kind), lead.dynamic) {
            (Some(Kind::Func), _) => return None,
            (Some(Kind::Interface { .. }) | None, dynamic) => self.scene.pointed(dynamic?)?,
            (Some(kind), _) => kind,
        };
        let begin = Scene::begin(&link.object);
        let room = link.object.size - begin;
        let start = self.scene.word(link.pointer?)?.checked_sub(link.object.base + begin)?;
        let size = |at| self.scene.types.get(at).map(|of| of.size).filter(|size| (1..=room).contains(size));
        match kind {
            Kind::Pointer(at) => {
                let content = Content { at, size: size(at)?, is_many: false, is_generic: false };
                let is_whole = start == 0 && rounded(content.size + begin) == Some(link.object.size);
                is_whole.then(|| self.values(content, begin))
            }
            Kind::Slice(at) => {
                let content = Content { at, size: size(at)?, is_many: true, is_generic: false };
                start.is_multiple_of(content.size).then_some(What::Values(content, begin))
            }
            Kind::Chan(at) => Some(What::Channel(Some(at))),
            _ => None,
        }
    }

    fn channel(&self, object: &Object) -> Option<Address> {
        let channel = self.special.channel.as_ref()?;
        channel.element(&self.scene.bytes(object)?, &self.scene)
    }

    /// What the object of a link must be to lead where it does. The error says how many structs it can be.
    fn shape(&mut self, links: &[Link], ahead: usize) -> Result<Content, usize> {
        let [link, next, ..] = links else { return Err(0) };
        if link.object.header != Typing::None {
            return Err(0);
        }
        if let Some(content) = self.element(links, ahead) {
            return Ok(content);
        }
        let found = links.get(1..).and_then(|links| self.leads(links, ahead)).ok_or(0_usize)?;
        let scene = self.scene;
        self.shapes().holder(&scene, &link.object, next.offset, found)
    }

    /// What the elements of a list are: objects of one size, each leading to the next one, of which the last
    /// one leads elsewhere and shows what they are.
    fn element(&mut self, links: &[Link], ahead: usize) -> Option<Content> {
        let alike = |link: &&Link| link.object.size == links.first().map_or(0, |first| first.object.size);
        let list = links.iter().take(LIST).take_while(alike).take_while(|link| link.map.is_none()).count();
        let (list, behind) = links.split_at_checked(list.checked_sub(1).filter(|before| *before > 0)?)?;
        let content = self.shape(behind, ahead).ok().filter(|content| !content.is_many)?;
        let to_next = list.iter().skip(1).chain(behind.first()).map(|link| link.offset);
        let is_own = |offset: u64| {
            let leaf = super::fields::leaf(self.scene.types, content.at, offset);
            leaf.is_some_and(|leaf| leaf.of.kind == Kind::Pointer(content.at))
        };
        to_next.into_iter().all(is_own).then_some(content)
    }

    fn shapes(&mut self) -> &mut Shapes {
        self.shapes.get_or_insert_with(|| Shapes::new(self.structs, self.scene.types))
    }

    /// What a pointer to the object of the first link leads to.
    fn leads(&mut self, links: &[Link], ahead: usize) -> Option<Found<'a>> {
        let link = links.first()?;
        if let Some(wanted) = link.map.and_then(|map| self.scene.wanted(map)) {
            return Some(Found::Map(wanted.types));
        }
        if let Some(content) = self.scene.content(&link.object) {
            return Some(Found::Content(content));
        }
        if self.scene.function_of(&link.object).is_some() {
            return Some(Found::Function);
        }
        if let Some(element) = self.channel(&link.object) {
            return Some(Found::Channel(element));
        }
        (ahead < AHEAD).then(|| self.shape(links, ahead + 1).ok().map(Found::Content))?
    }

    /// The type of an interface's value, by the word before the pointer: where that word is a type and the
    /// object is as large as a value of it.
    pub(super) fn boxed(&self, link: &Link) -> Option<Address> {
        let word = self.scene.word(link.pointer?.checked_sub(WORD)?)?;
        let plain = self.scene.types.get(Address(word)).map(|of| of.at);
        let at = plain.or_else(|| self.scene.type_of_methods(word))?;
        let begin = Scene::begin(&link.object);
        let fits = match self.scene.pointed(at)? {
            Kind::Pointer(to) => {
                let size = self.scene.types.get(to)?.size;
                size > 0 && rounded(size + begin) == Some(link.object.size)
            }
            Kind::Chan(_) => self.channel(&link.object).is_some(),
            _ => false,
        };
        fits.then_some(at)
    }
}
