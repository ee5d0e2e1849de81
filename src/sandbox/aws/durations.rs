//! How long things really take. [`Call::after`](super::call::Call::after) divides these by the sandbox's time scale.
//!
//! Typical values from operating experience where AWS publishes none; where the service's documentation gives a number
//! (a health check's interval, a deregistration delay) it is taken from the resource itself, and only its default stands
//! here.
//!
//! One declaration gives both the constants and the table that users see ([`ALL`]). The comment of each begins with the
//! service, and says where the number is from. An environment can say that one of them is another on its sandbox; so the
//! number to count with is that of [`Call::usual`](super::call::Call::usual).

use std::time::Duration;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// One usual duration, as users see it.
#[derive(Clone, Copy, Debug)]
pub struct Usual {
    pub name: &'static str,
    pub time: Duration,
    about: &'static str,
}

/// What an environment says of them: by their names, in small letters.
pub type Changed = std::collections::BTreeMap<String, Duration>;

impl Usual {
    /// How long it takes here, before that is divided.
    pub fn here(&self, changed: &Changed) -> Duration {
        match changed.is_empty() {
            true => self.time,
            false => changed.get(&self.name.to_lowercase()).copied().unwrap_or(self.time),
        }
    }

    /// The service whose state it is.
    pub fn service(&self) -> &'static str {
        self.about.trim().split_once(": ").map_or("", |(service, _)| service)
    }

    /// What takes that long, and the source.
    pub fn about(&self) -> &'static str {
        let about = self.about.trim();
        about.split_once(": ").map_or(about, |(_, rest)| rest)
    }
}

macro_rules! durations {
    ($($(#[doc = $doc:literal])+ pub const $name:ident: Duration = $time:expr;)+) => {
        $($(#[doc = $doc])+ pub const $name: Usual =
            Usual { name: stringify!($name), time: $time, about: concat!($($doc),+) };)+

        /// All of them, in the order of this file.
        pub const ALL: &[Usual] = &[$($name),+];
    };
}

durations! {
    /// ElastiCache: a replication group from `creating` to `available`. Experience: 6 to 15 minutes.
    pub const CACHE_CREATE: Duration = minutes(9);
    /// ElastiCache: from `deleting` to gone; the name is blocked meanwhile. Experience: 5 to 10 minutes.
    pub const CACHE_DELETE: Duration = minutes(6);
    /// ElastiCache: a change of parameters, tokens or security groups. Experience: a minute or two.
    pub const CACHE_MODIFY: Duration = minutes(2);
    /// ElastiCache: a change that replaces nodes (node type, engine version, number of replicas).
    /// Experience: about as long as a creation.
    pub const CACHE_REPLACE_NODES: Duration = minutes(10);
    /// ElastiCache: a failover. "Typically a few minutes at most", *Minimizing downtime in ElastiCache by using Multi-AZ*.
    pub const CACHE_FAILOVER: Duration = minutes(1);
    /// ElastiCache: a snapshot of a small cache. Experience: 2 to 10 minutes.
    pub const CACHE_SNAPSHOT: Duration = minutes(3);
    /// ElastiCache: a snapshot in `deleting`. Experience: seconds.
    pub const CACHE_SNAPSHOT_DELETE: Duration = seconds(30);
    /// ElastiCache: the reboot of a node. Experience: a minute.
    pub const CACHE_REBOOT: Duration = minutes(1);

    /// Elastic Load Balancing: from `provisioning` to `active`. Experience: 2 to 4 minutes.
    pub const LOAD_BALANCER_CREATE: Duration = minutes(3);
    /// Elastic Load Balancing: how long a deleted load balancer's network interfaces linger. Experience: minutes
    /// (terraform-provider-aws 40).
    pub const LOAD_BALANCER_INTERFACES_LINGER: Duration = minutes(2);
    /// Elastic Load Balancing: the default of `deregistration_delay.timeout_seconds`,
    /// *Edit target group attributes for your Application Load Balancer*.
    pub const DEREGISTRATION_DELAY: Duration = seconds(300);

    /// ECS: a task in PROVISIONING, while Fargate attaches its interface. Experience: a task takes 1 to 2 minutes in all.
    pub const TASK_PROVISION: Duration = seconds(20);
    /// ECS: a task in PENDING, while its image is pulled and its secrets are read. Experience.
    pub const TASK_PULL: Duration = seconds(40);
    /// ECS: how long a task tries to reach a registry or a service that it has no way to. Experience: just below 5 minutes.
    pub const TASK_UNREACHABLE: Duration = seconds(280);
    /// ECS: from the stop of a task to STOPPED: SIGTERM, then SIGKILL after 30 s, `stopTimeout` of
    /// *Task definition parameters for Fargate*.
    pub const TASK_STOP: Duration = seconds(30);
    /// ECS: how long a stopped task is still described. *ListTasks*: "for at least one hour".
    pub const TASK_REMEMBERED: Duration = minutes(60);
    /// ECS: how long a service waits before it starts a task again whose predecessor failed. *Amazon ECS service throttle
    /// logic* gives longer pauses after repeated failures; the first ones are short.
    pub const TASK_RETRY: Duration = seconds(30);

    /// ECR: a scan of an image. Experience: under a minute for a small one.
    pub const IMAGE_SCAN: Duration = seconds(30);

    /// EC2: a NAT gateway from `pending` to `available`. Experience: 1 to 3 minutes.
    pub const NAT_CREATE: Duration = seconds(110);
    /// EC2: a NAT gateway from `deleting` to `deleted`. Experience: under a minute.
    pub const NAT_DELETE: Duration = seconds(50);
    /// EC2: how long a deleted NAT gateway is still listed. *NAT gateway basics*: "for a short while (usually about an hour)".
    pub const NAT_REMEMBERED: Duration = minutes(60);

    /// RDS for SQL Server: from `creating` to the first backup. Experience: 15 to 30 minutes in all.
    pub const DATABASE_CREATE: Duration = minutes(17);
    /// RDS for SQL Server with Multi-AZ: longer. Experience: over 40 minutes were reported (hashicorp/terraform 2886).
    pub const DATABASE_CREATE_MULTI_AZ: Duration = minutes(32);
    /// RDS for SQL Server: a restore from a snapshot. Experience: 10 to 40 minutes.
    pub const DATABASE_RESTORE: Duration = minutes(22);
    /// RDS: a snapshot, manual or automated, and `backing-up` meanwhile. Experience: 3 to 10 minutes for a small instance.
    pub const DATABASE_SNAPSHOT: Duration = minutes(4);
    /// RDS: from `deleting` to gone. Experience: 5 to 15 minutes; with a final snapshot that time comes before.
    pub const DATABASE_DELETE: Duration = minutes(7);
    /// RDS: a change without a new host: storage, retention, option group. Experience: 2 to 10 minutes.
    pub const DATABASE_MODIFY: Duration = minutes(5);
    /// RDS for SQL Server: a change that moves to another host or installs: class, engine version, Multi-AZ. Experience: 15
    /// to 30 minutes.
    pub const DATABASE_REPLACE: Duration = minutes(20);
    /// RDS: a new master password. Experience: 1 to 2 minutes.
    pub const DATABASE_RESET_PASSWORD: Duration = minutes(1);
    /// RDS: a new identifier. "It takes about 10 minutes", *Renaming a DB instance*.
    pub const DATABASE_RENAME: Duration = minutes(10);
    /// RDS for SQL Server: a reboot, with recovery of its databases. Experience: 2 to 5 minutes.
    pub const DATABASE_REBOOT: Duration = minutes(3);
    /// RDS: from `stopping` to `stopped`. *Stopping an Amazon RDS DB instance temporarily*: "can take a few minutes".
    pub const DATABASE_STOP: Duration = minutes(5);
    /// RDS: from `starting` to `available`. Experience: 5 to 15 minutes.
    pub const DATABASE_START: Duration = minutes(8);
    /// RDS: a stopped instance is started after seven days, *StopDBInstance*.
    pub const DATABASE_STOPPED: Duration = minutes(7 * 24 * 60);
    /// RDS: a role of an instance from `PENDING` to `ACTIVE`. Experience: about a minute.
    pub const DATABASE_ROLE: Duration = minutes(1);

    /// RDS for SQL Server: from the call of `rds_restore_database` or `rds_backup_database` to IN_PROGRESS. Experience: under a
    /// minute.
    pub const NATIVE_TASK_BEGINS: Duration = seconds(30);
    /// RDS for SQL Server: a native backup of a small database to S3. Experience: minutes; large ones take hours.
    pub const NATIVE_BACKUP: Duration = minutes(3);
    /// RDS for SQL Server: a native restore of a small database from S3. Experience: minutes; large ones take hours.
    pub const NATIVE_RESTORE: Duration = minutes(5);

    /// Route 53: from PENDING to INSYNC. *ChangeResourceRecordSets*: "Changes generally propagate to all Route 53 name servers
    /// managing the hosted zone within 60 seconds."
    pub const DNS_PROPAGATION: Duration = seconds(60);
    /// ACM: "there is a delay of several seconds before you can retrieve information about it", *DescribeCertificate*: until
    /// the records for the validation are shown.
    pub const CERTIFICATE_RECORDS: Duration = seconds(5);
    /// ACM: from the moment the records are seen to ISSUED. Experience: minutes to over an hour (terraform-provider-aws 9338).
    pub const CERTIFICATE_ISSUE: Duration = minutes(5);
    /// ACM: when a certificate that was never validated fails, *Troubleshoot DNS validation problems*: 72 hours. Like all
    /// that is counted in days, it is not divided by the time scale.
    pub const CERTIFICATE_TIMES_OUT: Duration = minutes(72 * 60);
    /// ACM: "The validity period for ACM certificates is 13 months (395 days)", *ACM certificate characteristics*.
    pub const CERTIFICATE_LIFE: Duration = minutes(395 * 24 * 60);
    /// EC2: an interface endpoint from `pending` to `available`. Experience: 1 to 3 minutes; a gateway endpoint, which is a
    /// route, takes no time.
    pub const ENDPOINT_CREATE: Duration = minutes(2);
    /// EC2: how long an interface endpoint is `deleting`, with its network interfaces. Experience: 1 to 3 minutes.
    pub const ENDPOINT_DELETE: Duration = minutes(2);
    /// EC2: how long a deleted endpoint is still listed. Experience.
    pub const ENDPOINT_REMEMBERED: Duration = minutes(2);
}

/// The table as a page of the repository shows it.
pub fn markdown() -> String {
    let mut page =
        String::from("| service | what takes how long, and how that is known | in AWS |\n| --- | --- | --- |\n");
    for usual in ALL {
        let about = usual.about().replace('|', "\\|");
        page.push_str(&format!(
            "| {} | {about} | {} |\n",
            usual.service(),
            in_words(usual.time)
        ));
    }
    page
}

/// As people say it: `1 min 50 s`, `7 d`.
fn in_words(time: Duration) -> String {
    let mut left = time.as_secs();
    let mut words = Vec::new();
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)] {
        if left >= length {
            words.push(format!("{} {unit}", left / length));
            left %= length;
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `IACSH_BLESS=1 cargo test --lib pages` writes it anew.
    #[test]
    fn the_pages_table_is_this_one() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sandbox-rules.md");
        let text = std::fs::read_to_string(&path).unwrap();
        let (begin, end) = ("<!-- durations -->\n", "<!-- end of durations -->");
        let (before, rest) = text.split_once(begin).unwrap();
        let (table, after) = rest.split_once(end).unwrap();
        if std::env::var_os("IACSH_BLESS").is_some() {
            std::fs::write(&path, format!("{before}{begin}{}{end}{after}", markdown())).unwrap();
            return;
        }
        assert_eq!(table, markdown(), "IACSH_BLESS=1 cargo test --lib pages writes it anew");
    }

    #[test]
    fn each_duration_names_its_service_and_its_source() {
        for usual in ALL {
            assert!(!usual.service().is_empty(), "{}: {}", usual.name, usual.about);
            let sources = ["Experience", "were reported", "*", "`"];
            assert!(
                sources.iter().any(|mark| usual.about().contains(mark)),
                "{} has no source: {}",
                usual.name,
                usual.about
            );
        }
    }
}
