/** Workflows that run within one another, below the one that answers a request. */
export const WORKFLOW_LEVELS_MAX = 5
