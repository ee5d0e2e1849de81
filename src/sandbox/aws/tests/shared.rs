//! Several at once: two sandboxes on one folder, and many calls.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_sandboxes_on_one_folder_work_in_parallel() {
    let cloud = Cloud::new();
    let other = Sandbox::open(cloud.path(), Options::default()).unwrap();
    let clients = [
        cloud.ec2.clone(),
        aws_sdk_ec2::Client::new(&config(&other, "eu-central-1")),
    ];
    let calls = (0..40).map(|number| {
        let client = clients[number % 2].clone();
        async move {
            let made = client
                .create_vpc()
                .cidr_block(format!("10.{number}.0.0/16"))
                .send()
                .await
                .unwrap();
            let id = made.vpc.unwrap().vpc_id.unwrap();
            // What one wrote the other reads at once.
            client.describe_vpcs().vpc_ids(&id).send().await.unwrap();
            id
        }
    });
    let mut made = futures::future::join_all(calls.map(tokio::spawn))
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect::<Vec<_>>();
    for client in &clients {
        let listed = client.describe_vpcs().send().await.unwrap();
        let mut listed: Vec<_> = listed
            .vpcs()
            .iter()
            .map(|vpc| vpc.vpc_id().unwrap().to_owned())
            .collect();
        listed.sort();
        made.sort();
        assert_eq!(listed, made);
    }
}

#[tokio::test]
async fn what_one_run_made_the_next_one_finds() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let sandbox = Sandbox::open(dir.path(), Options::default()).unwrap();
        aws_sdk_ec2::Client::new(&config(&sandbox, "us-east-1"))
    };
    let id = open()
        .create_vpc()
        .cidr_block("10.0.0.0/16")
        .send()
        .await
        .unwrap()
        .vpc
        .unwrap()
        .vpc_id
        .unwrap();
    assert_eq!(
        open().describe_vpcs().send().await.unwrap().vpcs()[0].vpc_id(),
        Some(id.as_str())
    );
}
