/** The suites of the native engine that say what every engine does, on the one that `HTTP_ENGINE=node` selects. */
process.env['HTTP_ENGINE'] = 'node'
await import('../../src/wire/native/answer-stream.test.ts')
await import('../../src/wire/native/connect-timeout.test.ts')
await import('../../src/wire/native/drain.test.ts')
await import('../../src/wire/native/engine.test.ts')
await import('../../src/wire/native/misbehaving-peers.test.ts')
await import('../../src/wire/native/refused-address.test.ts')
await import('../../src/wire/native/tapped.test.ts')
await import('../../src/wire/native/timeouts.test.ts')
await import('../../src/wire/native/upstream-stream.test.ts')
await import('../../src/wire/native/upstream.test.ts')
