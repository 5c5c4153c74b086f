/** The roles that every instance has, from the least rights to all. They cannot be changed. */
export const BUILT_IN_ROLES: readonly { readonly role: string; readonly about: string }[] = [
  { role: 'viewer', about: 'Reads the configuration, records, metrics and the audit log.' },
  {
    role: 'modifier',
    about:
      'What a viewer may do. Creates, changes, publishes and deletes resources, and rotates tokens and credentials.',
  },
  {
    role: 'auditor',
    about: 'Reads, verifies and exports the audit log. Reads and exports records.',
  },
  { role: 'admin', about: 'Everything, including people, grants, keys, approvals and settings.' },
]
