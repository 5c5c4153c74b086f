/** JSON-RPC code of every error that `postern runner` makes itself, outside of the range that JSON-RPC reserves. */
export const RUNNER_ERROR = -31_000
