/** Outputs of nodes that call a server over HTTP. */
export const ANSWER = { status: 'integer', headers: 'object', body: 'any' }
