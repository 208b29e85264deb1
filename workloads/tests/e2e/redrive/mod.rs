//! Dead letters go back: through the real broker, interrupted, come back again, or left where they are.

mod back;
mod guard;
mod interrupted;
mod left;
mod places;
mod support;
