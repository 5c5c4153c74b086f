import type { RefusalCode } from '../base/refusal.ts'
import type { Handler, Incoming } from './port.ts'

/** A request that can still be told what became of a fault. */
interface Open extends Incoming {
  /** Neither answered nor forwarded yet. */
  readonly isOpen: boolean
  /** Gives up a streamed answer that has not ended: no time limit would end it. */
  giveUpStream(): void
}

/** The handler's methods: a fault in one is reported and answered, and the thread lives on. */
export interface Guarded {
  request(exchange: Open): void
  refused(exchange: Open, code: RefusalCode, inner: string): void
  finished(exchange: Open): void
  fault(error: unknown): void
}

/** The handler's methods as an engine may call them: whatever they throw goes to `onFault`. */
export function guarded<State>(
  handler: Handler<State>,
  onFault: (error: unknown) => void = () => {},
): Guarded {
  // Engines never look into `state`, so an exchange serves every State
  const seen = (exchange: Open): Incoming<State> => exchange as Incoming as Incoming<State>
  return {
    fault: onFault,
    request(exchange) {
      try {
        handler.request(seen(exchange))
      } catch (error) {
        onFault(error)
        if (exchange.isOpen) this.refused(exchange, 'internal_error', String(error))
        else exchange.giveUpStream()
      }
    },
    refused(exchange, code, inner) {
      try {
        handler.refused(seen(exchange), code, inner)
      } catch (error) {
        onFault(error)
        if (exchange.isOpen) exchange.answer(500, '', '')
        else exchange.giveUpStream()
      }
    },
    finished(exchange) {
      try {
        handler.finished(seen(exchange))
      } catch (error) {
        onFault(error)
      }
    },
  }
}
