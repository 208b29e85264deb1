//! The origin's Python programs, and tools that know nothing of us, on the same topics as ours.

mod origin;
mod tools;
