//! A fleet of real processes on real servers, what is done to it, and whether it kept the contract of
//! its protocol meanwhile.
//!
//! [`worker`] is a process of the fleet. Its registry's store is a [`Witness`](witness::Witness), its
//! calls go to an [`Upstream`](upstream::Upstream) that counts what it receives, and each says what
//! happens as [lines](said::Line) with the time of a clock that all processes of a machine share.
//! [`rig`] starts the servers and the workers, puts a [`Proxy`](proxy::Proxy) between each worker and
//! each store, and breaks what it started; [`storm`], [`quorum`] and [`quiet`] are what it does.
//! [`check`] reads the [`Log`](log::Log) of all that afterwards. It is pure, and tested on logs that
//! are wrong in one way each.

pub mod check;
pub mod clock;
pub mod log;
pub mod proxy;
pub mod quiet;
pub mod quorum;
pub mod rig;
pub mod said;
pub mod stores;
pub mod storm;
pub mod upstream;
pub mod witness;
pub mod worker;

pub use tower_breaker_torture::Error;
