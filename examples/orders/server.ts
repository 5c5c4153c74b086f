/**
 * Runs the sample upstream: `npm run orders`, with `PORT` (9000) and `HOST` (127.0.0.1) from the
 * environment. Ends on SIGINT and SIGTERM, and with the npm script that started it.
 */
import { stopSignal } from '../../src/base/threads/process.ts'
import { createOrdersService } from './service.ts'

const service = await createOrdersService({
  port: Number(process.env['PORT'] ?? 9000),
  host: process.env['HOST'] ?? '127.0.0.1',
})
console.log(`orders: ${service.url}/api/v1, described by examples/orders/openapi.yaml`)
await stopSignal()
await service.close()
