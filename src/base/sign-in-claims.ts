/** Claims of access tokens for MCP endpoints that only Postern reads: ids of the host, and of the profile that the person has picked. */
export const HOST_CLAIM = 'postern_host'
export const PROFILE_CLAIM = 'postern_profile'
