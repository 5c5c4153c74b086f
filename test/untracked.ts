/**
 * Loaded before the tests of a whole run. The test runner follows each promise to the test that made it (async_hooks), so
 * that it can say to which test an uncaught error belongs: up to a quarter of the CPU time of a test. Without that an
 * uncaught error fails its file all the same; a run of that file alone names the test.
 */
import { createRequire } from 'node:module'

const hooks = createRequire(import.meta.url)('node:async_hooks') as { createHook: () => object }
const none = { enable: () => none, disable: () => none }
hooks.createHook = () => none
