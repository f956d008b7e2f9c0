//! A Vonage SMS service on loopback.
