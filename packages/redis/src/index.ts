/**
 * Redis Streams connector for Ergon: sources and sinks with consumer groups.
 *
 * @since 0.1.0
 */
export {}
