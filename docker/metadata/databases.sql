-- Run once by the image of postgres on a new volume: a database for each of three, with a user who owns it.
-- psql reads the passwords itself, so that they stand on no command line. Only its owner may connect to each.
\set airflow `cat /run/secrets/metadata_airflow`
\set superset `cat /run/secrets/metadata_superset`
\set mlflow `cat /run/secrets/metadata_mlflow`
create role airflow login password :'airflow';
create role superset login password :'superset';
create role mlflow login password :'mlflow';
create database airflow owner airflow;
create database superset owner superset;
create database mlflow owner mlflow;
revoke connect on database airflow from public;
revoke connect on database superset from public;
revoke connect on database mlflow from public;
