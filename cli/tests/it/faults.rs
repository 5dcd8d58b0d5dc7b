//! The fault table: whatever breaks, the command's output and exit code are its own, and once all is well again
//! `otrace sync` brings the server every byte, once.
//!
//! [`network`] breaks each call of a small recording in each way, [`each`] those of one that makes every call there is,
//! as often as it makes them, [`store`] those that go to the server's store, and [`reading`] those of the commands that
//! fetch and import. [`kills`] kills `otrace` at each call, [`servers`] the server, and [`parts`] either between the
//! parts of a large file. [`twins`] has many send the same. [`clocks`] sets the clock, [`disks`] fills the disks up,
//! [`writes`] takes the room from each write, and [`power`] cuts the power. [`gaps`] is about what is missing all the
//! same: it is said, and what comes later is in its place.
//!
//! [`recording`] and [`rich`] are commands whose bytes are known, and what is expected of the server; [`fsck`] reads
//! back all that a server says it has. [`proxy`] is what breaks, by a [`plan`]; [`shim`] is a disk that misbehaves.

mod api;
mod clocks;
mod disks;
mod each;
mod fsck;
mod gaps;
mod kills;
mod message;
pub mod mounts;
mod network;
mod parts;
mod plan;
mod power;
mod proxy;
mod reading;
mod real_server;
mod recording;
mod rich;
mod servers;
mod shim;
mod store;
mod twins;
mod writes;
