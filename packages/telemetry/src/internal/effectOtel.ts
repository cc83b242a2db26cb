/**
 * The parts of @effect/opentelemetry that stand on Effect's side: its modules are unstable, and this file absorbs that.
 *
 * `NodeSdk.layer` is not among them. It closes one signal after the other, each with its own timeout, has one level for
 * all logs, and its logger writes the ids of spans that are none.
 */
export { logLevelToSeverityNumber } from "@effect/opentelemetry/OtelLogger"
export { makeProducer } from "@effect/opentelemetry/OtelMetrics"
export { layerTracer, make as makeTracer, OtelTracerProvider } from "@effect/opentelemetry/OtelTracer"
export { configToAttributes, Resource } from "@effect/opentelemetry/Resource"
