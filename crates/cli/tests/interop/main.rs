//! The real other tools and Tidelock on one bucket: what they wrote is adopted
//! without sending it again, and they read what Tidelock wrote. moto plays the
//! service, for it gives the ETags that Amazon would.

mod aws;
mod bench;
#[path = "../cli/home.rs"]
#[allow(dead_code, reason = "each test program uses its part of it")]
mod home;
mod rclone;
mod s3cmd;
mod s3fs;
#[path = "../../../remote/tests/support/servers.rs"]
#[allow(dead_code, reason = "each test program uses its part of it")]
mod servers;
