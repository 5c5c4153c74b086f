/** Links to the settings that explanations name, such as `profiles/acme:live ip_allowlist`. */

export interface SettingLink {
  readonly text: string
  /** Null for text that names no resource. */
  readonly resource: string | null
  readonly id: string
  /** JSON pointer of the field in the form; empty for the whole resource. */
  readonly pointer: string
}

/** Settings of an explanation, one for each field. They are divided by semicolons, the fields of one resource by commas. */
export function settingLinksOf(setting: string): readonly SettingLink[] {
  return setting.split('; ').flatMap((part): SettingLink[] => {
    const [, resource, id, rest = ''] = /^([a-z_]+)\/(\S+)(?: (.*))?$/.exec(part) ?? []
    if (resource === undefined || id === undefined)
      return [{ text: part, resource: null, id: '', pointer: '' }]
    // "policies/gold of the client" names no field
    if (rest === '' || rest.startsWith('of the ')) {
      const pointer = resource === 'policies' ? '/limits' : ''
      return [{ text: part, resource, id, pointer }]
    }
    return rest.split(', ').map((field) => {
      const name = field.split(':')[0]!.trim()
      return { text: `${resource}/${id} ${field}`, resource, id, pointer: `/${name.replaceAll('.', '/')}` }
    })
  })
}
