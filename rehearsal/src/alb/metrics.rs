//! The metrics that the load balancer counts, by name.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>

/// Those of a whole load balancer.
pub const OF_A_LOAD_BALANCER: &[&str] = &[
    "RequestCount",
    "HTTPCode_Target_2XX_Count",
    "HTTPCode_Target_3XX_Count",
    "HTTPCode_Target_4XX_Count",
    "HTTPCode_Target_5XX_Count",
    "HTTPCode_ELB_4XX_Count",
    "HTTPCode_ELB_5XX_Count",
    "HTTPCode_ELB_502_Count",
    "HTTPCode_ELB_503_Count",
    "HTTPCode_ELB_504_Count",
    "TargetResponseTime",
    "TargetConnectionErrorCount",
];

/// Those of one of its target groups.
pub const OF_A_TARGET_GROUP: &[&str] = &[
    "RequestCount",
    "HTTPCode_Target_2XX_Count",
    "HTTPCode_Target_3XX_Count",
    "HTTPCode_Target_4XX_Count",
    "HTTPCode_Target_5XX_Count",
    "HealthyHostCount",
    "UnHealthyHostCount",
    "TargetResponseTime",
    "TargetConnectionErrorCount",
];
