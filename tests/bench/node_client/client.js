// A service with OpenTelemetry's SDK for Node: `client.js DOOR ENDPOINT SPANS`; see tests/client_spans.py.
import { DiagLogLevel, SpanKind, SpanStatusCode, diag, trace } from "@opentelemetry/api";
import { ROOT_CONTEXT, TraceFlags, createTraceState } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const [door, endpoint, count] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const packages = { "http protobuf": "proto", "http json": "http", grpc: "grpc" };
const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${packages[door]}`);

// Everything the SDK complains about goes to standard error, since standard output is for the spans.
const complain = (...texts) => console.error(...texts);
diag.setLogger({ error: complain, warn: complain, info() {}, debug() {}, verbose() {} }, DiagLogLevel.WARN);

const ATTRIBUTES = {
  text: 'ä€😀 "quoted" \\ \n',
  empty: "",
  long: "x".repeat(5000),
  yes: true,
  no: false,
  zero: 0,
  least: Number.MIN_SAFE_INTEGER,
  most: Number.MAX_SAFE_INTEGER,
  double: 0.1,
  tiny: 5e-324,
  negative: -2.5,
  texts: ["a", "", "ä"],
  yeses: [true, false],
  integers: [1, -1, 2 ** 40],
  doubles: [0.5, -2.25],
  "nothing in it": [],
};

const nanoseconds = ([seconds, rest]) => String(BigInt(seconds) * 1000000000n + BigInt(rest));
const ids = ({ traceId, spanId }) => ({ trace_id: traceId, span_id: spanId });
const sent = [];
const notes = {
  onStart() {},
  onEnd(span) {
    sent.push({
      ...ids(span.spanContext()),
      parent_span_id: span.parentSpanContext?.spanId ?? null,
      name: span.name,
      kind: SpanKind[span.kind].toLowerCase(),
      started_ns: nanoseconds(span.startTime),
      ended_ns: nanoseconds(span.endTime),
      status: SpanStatusCode[span.status.code].toLowerCase(),
      status_message: span.status.message ?? null,
      trace_state: span.spanContext().traceState?.serialize() ?? null,
      scope: span.instrumentationScope.name,
      scope_version: span.instrumentationScope.version,
      attributes: span.attributes,
      resource: span.resource.attributes,
      events: span.events.map((event) => ({
        name: event.name,
        at_ns: nanoseconds(event.time),
        attributes: event.attributes ?? {},
      })),
      links: span.links.map((link) => ({ ...ids(link.context), attributes: link.attributes ?? {} })),
    });
  },
  async forceFlush() {},
  async shutdown() {},
};

const url = door === "grpc" ? `http://${endpoint}` : `http://${endpoint}/v1/traces`;
// Room for all, since a queue that is full drops spans by design.
const batches = new BatchSpanProcessor(new OTLPTraceExporter({ url }), { maxQueueSize: Math.max(count, 512) });
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": `node ${door}`, replicas: [1, 2] }),
  spanProcessors: [notes, batches],
});
const tracer = provider.getTracer("node_client", "1.2.3");
const elsewhere = {
  traceId: "0".repeat(29) + "abc",
  spanId: "0".repeat(13) + "def",
  traceFlags: TraceFlags.SAMPLED,
  isRemote: true,
  traceState: createTraceState("vendor=v1,other=o"),
};
let root;
for (let number = 0; number < count; number++) {
  const first = number % 8 === 0;
  // Every other trace begins in a service that sends nothing here.
  const parent = first ? (number % 16 ? elsewhere : undefined) : root;
  const links =
    root && number % 4 === 0 ? [{ context: elsewhere, attributes: { why: "linked" } }, { context: root }] : [];
  const span = tracer.startSpan(
    `step ${number % 8}`,
    { kind: number % 5, attributes: { ...ATTRIBUTES, number }, links },
    parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT,
  );
  if (number % 3 === 0) {
    span.addEvent("noted", { attempt: number, ratio: 0.25, tags: ["a", "b"], done: true });
    span.addEvent("bare");
  }
  if (number % 5 === 0) {
    span.recordException(new RangeError("no such order"));
    span.setStatus({ code: SpanStatusCode.ERROR, message: "refused" });
  } else if (number % 5 === 1) {
    span.setStatus({ code: SpanStatusCode.OK });
  }
  if (first) root = span.spanContext();
  span.end();
}
await provider.shutdown();
process.stdout.write(JSON.stringify(sent));
