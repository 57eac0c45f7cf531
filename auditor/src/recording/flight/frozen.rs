//! What a flight recorder held at one moment, to be written whenever there is time: on another thread, too.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use crate::audit::fact::Fact;
use crate::recording::standing::Stood;
use crate::recording::writer::{WriteError, Writer, Written};

/// What was kept.
#[derive(Debug)]
pub struct Frozen {
    /// What the facts before the frames had led to.
    pub(super) before: Stood,
    /// Packed, as they stand in a recording.
    pub(super) frames: Vec<Arc<[u8]>>,
    /// Why it was asked for, and the end.
    pub(super) after: Vec<Fact>,
}

impl Frozen {
    /// Writes it as a recording, and lets go of each part as it is written.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write<W: Write>(self, sink: W, path: &Path) -> Result<Written, WriteError> {
        let mut writer = Writer::new(sink, path)?;
        for fact in self.before {
            writer.append(&fact)?;
        }
        for frame in self.frames {
            writer.append_frame(&frame)?;
        }
        for fact in self.after {
            writer.append(&fact)?;
        }
        writer.finish()
    }
}
