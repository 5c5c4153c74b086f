/** Reasons that records give for refusals at MCP endpoints, and by which the audit trail knows that they concern the caller. */

/** The caller is known, and the virtual MCP does not exist or is not shared with the caller. */
export const NOT_SHARED = 'no such virtual MCP for the caller'
/** The virtual MCP has what the caller names, but the binding of the caller's token leaves it out. */
export const BEYOND_BINDING = 'beyond the capabilities of the binding'
