/** Outputs of nodes that call a server over HTTP. */
export const ANSWER = { status: 'number', headers: 'object', body: 'any' }
