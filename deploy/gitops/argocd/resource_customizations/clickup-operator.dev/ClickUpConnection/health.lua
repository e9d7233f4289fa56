-- What the conditions of a ClickUpConnection come to. No libraries: Argo CD runs a check of its ConfigMap without them.
local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    conditions[condition.type] = condition
  end
end

local function health(status, condition, otherwise)
  if condition == nil then
    return { status = status, message = otherwise }
  end
  return { status = status, message = condition.reason .. ": " .. condition.message }
end

local ready = conditions["Ready"]

-- -1 until the first check has ended.
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", conditions["Reconciling"], "not checked yet as it is now")
end
-- By its own spec, or by the connection whose token it uses. What was found before stands in the conditions.
if obj.spec.suspend == true or (ready ~= nil and ready.reason == "Suspended") then
  return { status = "Suspended", message = "not checked while spec.suspend is true" }
end
if ready == nil then
  return health("Progressing", nil, "no condition Ready yet")
end
if ready.status == "True" then
  return health("Healthy", conditions["RateLimited"] or ready)
end
-- Stalled is not looked at: it is there only beside Ready=False.
if ready.status == "False" then
  return health("Degraded", ready)
end
return health("Progressing", ready)
