//! The settings of a circuit: values, their builder, and the one place that checks them.

mod builder;
mod check;
mod values;
mod window;

pub use self::{builder::SettingsBuilder, values::Settings, window::SlidingWindow};
