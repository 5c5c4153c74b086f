import type { RefusalCode } from '../../base/refusal.ts'
import type { Context } from '../native/context.ts'
import { createContext, type NativeEngineOptions } from '../native/create-context.ts'
import type { Incoming } from '../port.ts'

/** What the parts of one engine share: rules, clock and sweep are those of the native engine, the bytes are Node's. */
export interface NodeContext {
  readonly shared: Context
  /** The handler's methods: a fault in one is reported and answered, and the thread lives on. */
  request(exchange: Guarded): void
  refused(exchange: Guarded, code: RefusalCode, inner: string): void
  finished(exchange: Guarded): void
}

interface Guarded extends Incoming {
  /** Neither answered nor forwarded yet. */
  readonly isOpen: boolean
}

export function createNodeContext<State>(options: NativeEngineOptions<State>): NodeContext {
  const { handler } = options
  const shared = createContext(options)
  // The engine never looks into `state`, so an exchange serves every State
  const seen = (exchange: Guarded): Incoming<State> => exchange as Incoming<State>
  return {
    shared,
    request(exchange) {
      try {
        handler.request(seen(exchange))
      } catch (error) {
        shared.fault(error)
        if (exchange.isOpen) this.refused(exchange, 'internal_error', String(error))
      }
    },
    refused(exchange, code, inner) {
      try {
        handler.refused(seen(exchange), code, inner)
      } catch (error) {
        shared.fault(error)
        if (exchange.isOpen) exchange.answer(500, '', '')
      }
    },
    finished(exchange) {
      try {
        handler.finished(seen(exchange))
      } catch (error) {
        shared.fault(error)
      }
    },
  }
}
