//! stub
/// Error chain as one line
pub fn chain(error: &dyn std::error::Error) -> String { let mut s=error.to_string(); let mut e=error.source(); while let Some(x)=e { s.push_str(": "); s.push_str(&x.to_string()); e=x.source(); } s }
