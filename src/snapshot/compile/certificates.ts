/** Compiles the settings for client certificates of a profile to its fragment. Pure. */
import { hash } from 'node:crypto'
import { BINDING_NAMES, type MtlsAuth } from '../../model/access/profile.ts'
import { subjectName } from '../find/people.ts'
import type { CertificatesFragment } from '../fragments.ts'

/** The id of a binding follows from its name and authority, so that the same binding keeps it over changes. */
export function compileCertificates({ bindings, revocation }: MtlsAuth): CertificatesFragment {
  return {
    bindings: bindings.map((binding) => {
      const name = bindingName(binding)
      const { ca, retires_at } = binding
      return {
        id: `crt_${hash('sha256', `${name}\n${ca}`, 'hex').slice(0, 26)}`,
        name,
        ca,
        retires_at: retires_at == null ? null : Date.parse(retires_at),
      }
    }),
    crl: revocation.crl,
    soft_fail: revocation.soft_fail,
  }
}

/** The name by which certificates of the binding are looked up: DNS names in lower case, fingerprints without colons. */
function bindingName(binding: MtlsAuth['bindings'][number]): string {
  const kind = BINDING_NAMES.find((name) => binding[name] !== undefined) ?? 'sha256'
  const value = binding[kind] ?? ''
  switch (kind) {
    case 'san_dns':
      return `san_dns:${value.toLowerCase()}`
    case 'san_uri':
      return `san_uri:${value}`
    case 'subject':
      return `subject:${subjectName(value.match(/(?:\\.|[^,\\])+/gu) ?? [])}`
    case 'sha256':
      return `sha256:${value.replaceAll(':', '').toLowerCase()}`
  }
}
