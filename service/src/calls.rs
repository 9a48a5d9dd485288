//! Counts what is asked of SQS and S3, each try: that is what AWS bills. Knows nothing of why it is asked.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use prometheus::IntCounterVec;

/// Counts requests by SQS's action, or by S3's method.
#[derive(Debug, Clone)]
pub struct CallCounter(pub IntCounterVec);

impl Intercept for CallCounter {
    fn name(&self) -> &'static str {
        "CallCounter"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let call = match request.headers().get("x-amz-target").and_then(|target| target.rsplit_once('.')) {
            Some((_, action)) => action,
            None => request.method(),
        };
        self.0.with_label_values(&[call]).inc();
        Ok(())
    }
}
