# The environment of environment.rhai as an ordinary configuration: each rule is a resource of its own, as the provider's
# documentation recommends. moto keeps no description of a rule that names a group, so those have none.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "more" { default = 0 }
variable "connection_string" { sensitive = true }

locals {
  name  = "identity-neighbour"
  zones = ["eu-central-1a", "eu-central-1b"]
  image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/identity:1.0"
  trust = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ecs-tasks.amazonaws.com" } }]
  })
}

provider "aws" {
  region = "eu-central-1"
  default_tags {
    tags = { project = "identity", env = "neighbour", owner = "team", created-by = "bench", source = "bench" }
  }
}

# Network

resource "aws_vpc" "main" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "${local.name}-main" }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "${local.name}-main" }
}

resource "aws_subnet" "public" {
  count                   = 2
  vpc_id                  = aws_vpc.main.id
  cidr_block              = cidrsubnet(aws_vpc.main.cidr_block, 4, count.index)
  availability_zone       = local.zones[count.index]
  map_public_ip_on_launch = true
  tags                    = { Name = "${local.name}-public-${count.index + 1}" }
}

resource "aws_subnet" "private" {
  count             = 2
  vpc_id            = aws_vpc.main.id
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 4, 8 + count.index)
  availability_zone = local.zones[count.index]
  tags              = { Name = "${local.name}-private-${count.index + 1}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "${local.name}-public" }
}

resource "aws_route_table" "inner" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "${local.name}-inner" }
}

resource "aws_route" "out" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "public" {
  count          = 2
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table_association" "private" {
  count          = 2
  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.inner.id
}

resource "aws_security_group" "front" {
  name        = "${local.name}-front"
  description = "Load balancer"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "front" {
  security_group_id = aws_security_group.front.id
  description       = "HTTP"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_security_group" "service" {
  name        = "${local.name}-service"
  description = "IdentityServer"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "service" {
  security_group_id            = aws_security_group.service.id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
  referenced_security_group_id = aws_security_group.front.id
}

resource "aws_security_group" "redis" {
  name        = "${local.name}-redis"
  description = "Redis"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "redis" {
  security_group_id            = aws_security_group.redis.id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  referenced_security_group_id = aws_security_group.service.id
}

resource "aws_vpc_security_group_egress_rule" "all" {
  for_each = {
    front   = aws_security_group.front.id
    service = aws_security_group.service.id
    redis   = aws_security_group.redis.id
  }
  security_group_id = each.value
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

# Redis

resource "aws_elasticache_subnet_group" "redis" {
  name        = "${local.name}-redis"
  description = "Redis"
  subnet_ids  = aws_subnet.private[*].id
}

resource "aws_secretsmanager_secret" "token" {
  name                    = "${local.name}-redis-token"
  description             = "Redis auth token"
  recovery_window_in_days = 30
}

resource "aws_secretsmanager_secret_version" "token" {
  secret_id     = aws_secretsmanager_secret.token.id
  secret_string = "a-token-of-more-than-sixteen-characters"
}

resource "aws_elasticache_replication_group" "redis" {
  replication_group_id       = "${local.name}-redis"
  description                = "redis of identity neighbour"
  engine                     = "redis"
  engine_version             = "7.1"
  node_type                  = "cache.t4g.micro"
  num_cache_clusters         = 1
  parameter_group_name       = "default.redis7"
  subnet_group_name          = aws_elasticache_subnet_group.redis.name
  security_group_ids         = [aws_security_group.redis.id]
  at_rest_encryption_enabled = true
  transit_encryption_enabled = true
  auth_token                 = aws_secretsmanager_secret_version.token.secret_string
  apply_immediately          = true
  lifecycle {
    # moto does not tell these.
    ignore_changes = [at_rest_encryption_enabled, auth_token]
  }
}

# Load balancer

resource "aws_lb" "front" {
  name               = "${local.name}-front"
  load_balancer_type = "application"
  security_groups    = [aws_security_group.front.id]
  subnets            = aws_subnet.public[*].id
}

resource "aws_lb_target_group" "service" {
  name                 = "${local.name}-service"
  vpc_id               = aws_vpc.main.id
  port                 = 8080
  protocol             = "HTTP"
  target_type          = "ip"
  deregistration_delay = 30
  health_check {
    path     = "/.well-known/openid-configuration"
    matcher  = "200"
    interval = 10
    timeout  = 5
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.front.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.service.arn
  }
}

# Service

resource "aws_secretsmanager_secret" "connection" {
  name                    = "${local.name}-connection-string"
  description             = "SQL Server connection string"
  recovery_window_in_days = 30
}

resource "aws_secretsmanager_secret_version" "connection" {
  secret_id     = aws_secretsmanager_secret.connection.id
  secret_string = var.connection_string
}

resource "aws_cloudwatch_log_group" "service" {
  name              = "${local.name}-identityserver"
  retention_in_days = 30
}

resource "aws_iam_role" "execution" {
  name               = "${local.name}-execution"
  path               = "/identity/neighbour/"
  assume_role_policy = local.trust
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role_policy" "secrets" {
  name = "secrets"
  role = aws_iam_role.execution.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue", "ssm:GetParameters"]
      Resource = [aws_secretsmanager_secret.connection.arn, aws_secretsmanager_secret.token.arn]
    }]
  })
}

resource "aws_iam_role" "task" {
  name               = "${local.name}-task"
  path               = "/identity/neighbour/"
  assume_role_policy = local.trust
}

resource "aws_ecs_cluster" "main" {
  name = "${local.name}-main"
  setting {
    name  = "containerInsights"
    value = "disabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = ["FARGATE"]
  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    weight            = 1
  }
}

resource "aws_ecs_task_definition" "service" {
  family                   = "${local.name}-identityserver"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions = jsonencode([{
    name         = "identityserver"
    image        = local.image
    essential    = true
    portMappings = [{ containerPort = 8080, hostPort = 8080, protocol = "tcp" }]
    environment = [
      { name = "IdentityServer__IssuerUri", value = "http://${aws_lb.front.dns_name}" },
      { name = "Redis__Endpoint", value = "${aws_elasticache_replication_group.redis.primary_endpoint_address}:6379" },
    ]
    secrets = [
      { name = "ConnectionStrings__Default", valueFrom = aws_secretsmanager_secret.connection.arn },
      { name = "Redis__Token", valueFrom = aws_secretsmanager_secret.token.arn },
    ]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.service.name
        "awslogs-region"        = "eu-central-1"
        "awslogs-stream-prefix" = "identityserver"
      }
    }
  }])
}

resource "aws_ecs_service" "service" {
  name                               = "${local.name}-identityserver"
  cluster                            = aws_ecs_cluster.main.id
  task_definition                    = aws_ecs_task_definition.service.arn
  desired_count                      = 1
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  propagate_tags                     = "SERVICE"
  enable_ecs_managed_tags            = true
  wait_for_steady_state              = true
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets          = aws_subnet.public[*].id
    security_groups  = [aws_security_group.service.id]
    assign_public_ip = true
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.service.arn
    container_name   = "identityserver"
    container_port   = 8080
  }
  lifecycle {
    # moto does not tell these.
    ignore_changes = [availability_zone_rebalancing, enable_ecs_managed_tags, deployment_circuit_breaker]
  }
  depends_on = [aws_lb_listener.http, aws_route.out, aws_iam_role_policy.secrets]
}

# Published for other scripts

resource "aws_ssm_parameter" "published" {
  for_each = {
    "redis.endpoint"     = aws_elasticache_replication_group.redis.primary_endpoint_address
    "redis.token-secret" = aws_secretsmanager_secret.token.arn
    "database.secret"    = aws_secretsmanager_secret.connection.arn
    "identityserver.url" = "http://${aws_lb.front.dns_name}"
  }
  name  = "/identity/neighbour/${each.key}"
  type  = "String"
  value = each.value
}

# More of the same

resource "aws_security_group" "more" {
  count       = var.more
  name        = "${local.name}-more-${count.index + 1}"
  description = "more-${count.index + 1}"
  vpc_id      = aws_vpc.main.id
}

resource "aws_ssm_parameter" "more" {
  count = var.more
  name  = "/identity/neighbour/more-${count.index + 1}"
  type  = "String"
  value = tostring(count.index + 1)
}

resource "aws_cloudwatch_log_group" "more" {
  count = var.more
  name  = "${local.name}-more-${count.index + 1}"
}
