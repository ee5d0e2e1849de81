//! What can be asked of load balancers.

mod target_health;

use crate::aws::Aws;
use crate::resource::Verb;

pub fn all(aws: &Aws) -> Vec<Verb> {
    vec![target_health::verb(aws)]
}
