//! Nothing. This crate exists for the order of the build.
//!
//! Cargo starts what most others wait for, and by that measure all AWS crates are equal: aws-sdk-ec2, which takes a
//! third of the whole build, often came last and was compiled alone, with the other cores idle. That this crate waits
//! for it too puts it in front.
