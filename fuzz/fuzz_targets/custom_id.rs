//! Custom ids of buttons and lists.

#![no_main]

#[path = "../checks/custom_id.rs"]
mod custom_id;

libfuzzer_sys::fuzz_target!(|data: &[u8]| custom_id::check(data));
