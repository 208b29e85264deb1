//! Records through the whole pipeline and back, byte for byte.

mod agreement;
mod beginnings;
mod ending;
mod files;
mod following;
mod foreign;
mod keys;
mod pipes;
mod transport_bombs;
mod tuned;
