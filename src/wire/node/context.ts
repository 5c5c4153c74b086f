import { type Guarded, guarded } from '../guarded.ts'
import { type Context, createContext, type NativeEngineOptions } from '../native/context.ts'

/** What the parts of one engine share: rules, clock and sweep are those of the native engine, the bytes are Node's. */
export interface NodeContext extends Guarded {
  readonly shared: Context
}

export function createNodeContext<State>(options: NativeEngineOptions<State>): NodeContext {
  return { shared: createContext(options), ...guarded(options.handler, options.onFault) }
}
