"""Who staff are: signing in, proving it again, their own password and second factors."""
