import { deleteOf, refuseUsed } from '../delete-resource.ts'
import { credentialKind } from './kind.ts'

export const deleteCredential = deleteOf(credentialKind, refuseUsed)
