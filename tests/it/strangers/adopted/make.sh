# An environment as somebody made it by hand, with the AWS CLI. Prints the ids that nobody chose.
set -eu
aws() { command aws --output text "$@"; }

vpc=$(aws ec2 create-vpc --cidr-block 10.20.0.0/16 --query Vpc.VpcId)
aws ec2 modify-vpc-attribute --vpc-id "$vpc" --enable-dns-hostnames Value=true
gateway=$(aws ec2 create-internet-gateway --query InternetGateway.InternetGatewayId)
aws ec2 attach-internet-gateway --internet-gateway-id "$gateway" --vpc-id "$vpc"
subnet_a=$(aws ec2 create-subnet --vpc-id "$vpc" --cidr-block 10.20.0.0/24 --availability-zone eu-central-1a --query Subnet.SubnetId)
subnet_b=$(aws ec2 create-subnet --vpc-id "$vpc" --cidr-block 10.20.1.0/24 --availability-zone eu-central-1b --query Subnet.SubnetId)
table=$(aws ec2 create-route-table --vpc-id "$vpc" --query RouteTable.RouteTableId)
aws ec2 create-route --route-table-id "$table" --destination-cidr-block 0.0.0.0/0 --gateway-id "$gateway" >&2
aws ec2 associate-route-table --route-table-id "$table" --subnet-id "$subnet_a" >&2
aws ec2 associate-route-table --route-table-id "$table" --subnet-id "$subnet_b" >&2

group() { aws ec2 create-security-group --vpc-id "$vpc" --group-name "$1" --description "$2" --query GroupId; }
front=$(group legacy-front "from the internet")
tasks=$(group legacy-tasks "from the front")
cache=$(group legacy-cache "from the tasks")
aws ec2 authorize-security-group-ingress --group-id "$front" --protocol tcp --port 80 --cidr 0.0.0.0/0 >&2
aws ec2 authorize-security-group-ingress --group-id "$tasks" --protocol tcp --port 8080 --source-group "$front" >&2
aws ec2 authorize-security-group-ingress --group-id "$cache" --protocol tcp --port 6379 --source-group "$tasks" >&2

aws elasticache create-cache-subnet-group --cache-subnet-group-name legacy-redis \
    --cache-subnet-group-description "by hand" --subnet-ids "$subnet_a" "$subnet_b" >&2
aws elasticache create-replication-group --replication-group-id legacy-redis --replication-group-description "by hand" \
    --engine redis --engine-version 7.1 --cache-node-type cache.t4g.micro --num-cache-clusters 1 \
    --cache-subnet-group-name legacy-redis --security-group-ids "$cache" \
    --transit-encryption-enabled --at-rest-encryption-enabled >&2

balancer=$(aws elbv2 create-load-balancer --name legacy-front --subnets "$subnet_a" "$subnet_b" \
    --security-groups "$front" --query 'LoadBalancers[0].LoadBalancerArn')
targets=$(aws elbv2 create-target-group --name legacy-web --protocol HTTP --port 8080 --vpc-id "$vpc" --target-type ip \
    --health-check-path /health --query 'TargetGroups[0].TargetGroupArn')
listener=$(aws elbv2 create-listener --load-balancer-arn "$balancer" --protocol HTTP --port 80 \
    --default-actions Type=forward,TargetGroupArn="$targets" --query 'Listeners[0].ListenerArn')

trust='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
role=$(aws iam create-role --role-name legacy-execution --assume-role-policy-document "$trust" --query Role.Arn)
aws iam attach-role-policy --role-name legacy-execution \
    --policy-arn arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy
aws logs create-log-group --log-group-name /legacy/web
aws secretsmanager create-secret --name legacy/smtp --secret-string hidden >&2

aws ecs create-cluster --cluster-name legacy --capacity-providers FARGATE \
    --default-capacity-provider-strategy capacityProvider=FARGATE,weight=1 >&2
definition=$(aws ecs register-task-definition --family legacy-web --requires-compatibilities FARGATE \
    --network-mode awsvpc --cpu 256 --memory 512 --execution-role-arn "$role" \
    --container-definitions '[{"name":"web","image":"public.ecr.aws/nginx/nginx:1.27","portMappings":[{"containerPort":8080}],
        "logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"/legacy/web","awslogs-region":"eu-central-1",
        "awslogs-stream-prefix":"web"}}}]' --query taskDefinition.taskDefinitionArn)
aws elbv2 wait load-balancer-available --load-balancer-arns "$balancer"
aws ecs create-service --cluster legacy --service-name legacy-web --task-definition "$definition" --desired-count 1 \
    --launch-type FARGATE --enable-ecs-managed-tags --propagate-tags SERVICE \
    --deployment-configuration 'deploymentCircuitBreaker={enable=true,rollback=true},minimumHealthyPercent=100,maximumPercent=200' \
    --network-configuration "awsvpcConfiguration={subnets=[$subnet_a,$subnet_b],securityGroups=[$tasks],assignPublicIp=ENABLED}" \
    --load-balancers "targetGroupArn=$targets,containerName=web,containerPort=8080" >&2
aws elasticache wait replication-group-available --replication-group-id legacy-redis
aws ecs wait services-stable --cluster legacy --services legacy-web

for name in vpc gateway subnet_a subnet_b table front tasks cache listener; do
    eval "echo --$name \$$name"
done
