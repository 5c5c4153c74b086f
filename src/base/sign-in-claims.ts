/** Claims of access tokens for MCP endpoints that only Postern reads: ids of the host, and of the profile that the person has picked. */
export const HOST_CLAIM = 'postern_host'
export const PROFILE_CLAIM = 'postern_profile'
/** Of a token of an agent: id of its binding, and the name of what it proved itself by; see `access/agents.ts`. */
export const BINDING_CLAIM = 'postern_binding'
export const CREDENTIAL_CLAIM = 'postern_credential'
/** Of a token that an agent got by exchange: id of the host with which the person had signed in. */
export const SUBJECT_HOST_CLAIM = 'postern_subject_host'
