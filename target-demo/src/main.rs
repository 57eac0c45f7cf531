mod map;
fn main() {}
