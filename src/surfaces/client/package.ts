/** What a package exports as `postern/client`: a typed client of Management REST for Node and browsers, without dependencies. */
export {
  type Answer,
  type CallOptions,
  type ClientOptions,
  createNamedClient as createClient,
  NoAnswer,
  ProblemError,
  WaitsForApproval,
} from './send.ts'
export type { Operations } from './types.ts'
