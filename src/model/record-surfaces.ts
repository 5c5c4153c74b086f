/** The surfaces of request records. A record keeps the number of its own in this list, so that the order never changes. */
export const RECORD_SURFACES = ['gateway', 'gateway_mcp', 'virtual_mcp'] as const
