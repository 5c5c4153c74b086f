import { deleteOf } from '../crud.ts'
import { profileKind } from './kind.ts'

export const deleteProfile = deleteOf(profileKind)
