import { deleteOf, refuseUsed } from '../crud.ts'
import { credentialKind } from './kind.ts'

export const deleteCredential = deleteOf(credentialKind, refuseUsed)
