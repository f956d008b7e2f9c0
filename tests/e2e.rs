//! The whole way: a program, the real client, real TLS on loopback, a service that plays its part.
//!
//! Each module tells the stories of one topic.

mod answers;
mod tls;
