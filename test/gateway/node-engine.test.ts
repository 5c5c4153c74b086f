/** The suites of the gateway once more, on the engine that `HTTP_ENGINE=node` selects. */
process.env['HTTP_ENGINE'] = 'node'
await import('./forward.test.ts')
await import('./caller-memory.test.ts')
await import('./identify.test.ts')
await import('./inner.test.ts')
await import('./limits.test.ts')
await import('./oidc.test.ts')
await import('./signed.test.ts')
await import('./swap.test.ts')
