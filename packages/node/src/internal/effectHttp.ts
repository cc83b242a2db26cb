/** The one file that imports effect's modules for HTTP and for Prometheus: both may change in any release. */
export * as HttpServerRequest from "effect/http/HttpServerRequest"
export * as HttpServerResponse from "effect/http/HttpServerResponse"
export * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
