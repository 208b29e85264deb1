//! Records through the whole pipeline and back, byte for byte.

mod ending;
mod files;
mod following;
mod keys;
mod pipes;
