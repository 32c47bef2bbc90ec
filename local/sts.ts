import { AwsError, type Caller } from "./service.ts"

/** Security Token Service, as far as anybody asks it here: who am I? Takes and gives the query protocol (form in, XML out). */
export function callSts(form: URLSearchParams, caller: Caller, account: string, requestId: string): string {
  const action = form.get("Action")
  if (action !== "GetCallerIdentity")
    throw new AwsError("InvalidAction", `Could not find operation ${action} for version 2011-06-15`)
  return `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>${principal(caller, account)}</Arn>
    <UserId>${caller.accessKeyId}</UserId>
    <Account>${account}</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>`
}

/** The ARN that AWS would name a caller by: `arn:aws:sts::123456789012:assumed-role/name/local`. */
export function principal({ role }: Caller, account: string): string {
  if (!role) return `arn:aws:iam::${account}:root`
  return `arn:aws:sts::${account}:assumed-role/${role.split("/").at(-1)}/local`
}
