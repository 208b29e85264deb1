//! Records through the whole pipeline and back, byte for byte.
