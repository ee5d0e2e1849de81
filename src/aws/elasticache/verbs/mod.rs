//! What can be done with caches beside ensuring them.

mod auth_token;
mod events;
mod test_failover;

use crate::aws::Aws;
use crate::resource::Verb;

pub fn all(aws: &Aws) -> Vec<Verb> {
    vec![
        events::verb(aws),
        test_failover::verb(aws),
        auth_token::rotate(aws),
        auth_token::settle(aws),
    ]
}
